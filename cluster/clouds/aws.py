"""Amazon Web Services, by Ray's cluster launcher."""

from cluster.clouds.base import Cloud

AWS = Cloud(
    name="aws",
    title="Amazon Web Services",
    kind="ray",
    template="aws.yaml.j2",
    region="us-east-1",
    bucket_scheme="s3://",
    bucket_example="s3://my-sweeps",
    installed="pip install boto3, and credentials of AWS: `aws configure`",
    # The lock file has boto3, which both Ray's launcher and MLflow's artifacts on S3 use.
    head_disk_gb=120,
    worker_disk_gb=200,
    modules=("boto3",),
    credentials=(
        "$AWS_ACCESS_KEY_ID",
        "$AWS_PROFILE",
        "$AWS_WEB_IDENTITY_TOKEN_FILE",
        "~/.aws/credentials",
        "~/.aws/config",
    ),
)
