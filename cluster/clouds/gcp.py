"""Google Cloud, by Ray's cluster launcher."""

from cluster.clouds.base import Cloud

GCP = Cloud(
    name="gcp",
    title="Google Cloud",
    kind="ray",
    template="gcp.yaml.j2",
    region="us-central1",
    bucket_scheme="gs://",
    bucket_example="gs://my-sweeps",
    installed="pip install google-api-python-client google-auth-httplib2, and credentials of Google Cloud: "
    "`gcloud auth application-default login`",
    # Versions that pip resolves together with requirements.lock (tried on 2026-11-29).
    head_packages=(
        "google-api-python-client==2.202.0",
        "google-auth-httplib2==0.4.4",
        "google-cloud-storage==3.17.1",  # MLflow's artifacts
    ),
    head_disk_gb=120,
    worker_disk_gb=200,
    modules=("googleapiclient",),
    credentials=("$GOOGLE_APPLICATION_CREDENTIALS", "~/.config/gcloud/application_default_credentials.json"),
)
