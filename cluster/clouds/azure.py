"""Microsoft Azure, by Ray's cluster launcher."""

from cluster.clouds.base import Cloud

AZURE = Cloud(
    name="azure",
    title="Microsoft Azure",
    kind="ray",
    template="azure.yaml.j2",
    region="eastus",
    bucket_scheme="abfs://",
    bucket_example="abfs://my-container@myaccount.dfs.core.windows.net",
    installed="pip install azure-cli-core azure-identity azure-mgmt-compute azure-mgmt-network azure-mgmt-resource "
    "azure-common msrest msrestazure, and credentials of Azure: `az login`",
    # The versions that Ray's own ray/autoscaler/azure/defaults.yaml installs on a head.
    head_packages=(
        "azure-core==1.35.0",
        "azure-identity==1.23.1",
        "azure-mgmt-compute==35.0.0",
        "azure-mgmt-network==29.0.0",
        "azure-mgmt-resource==24.0.0",
        "azure-common==1.1.28",
        "msrest==0.7.1",
        "msrestazure==0.6.4.post1",
        "azure-storage-blob==12.28.0",  # MLflow's artifacts
    ),
    head_disk_gb=120,
    worker_disk_gb=200,
    modules=("azure.identity", "azure.mgmt.compute"),
    credentials=("$AZURE_CLIENT_ID", "~/.azure/azureProfile.json"),
)
