"""What Prometheus reads of a server."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest

_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The numbers of one server, in a registry of their own: two servers of a process do not mix theirs."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.model = Info("gan_sweep_model", "What is served.", registry=self.registry)
        self.requests = Counter(
            "gan_sweep_requests", "Requests that were answered.", ("path", "code"), registry=self.registry
        )
        self.seconds = Histogram(
            "gan_sweep_request_seconds", "From a request to the end of its answer.", ("path",), registry=self.registry
        )
        self.images = Counter("gan_sweep_images", "Images that the device made.", registry=self.registry)
        self.batches = Histogram(
            "gan_sweep_batch_images", "Images that were made at once.", registry=self.registry, buckets=_SIZES
        )
        self.waiting = Gauge("gan_sweep_waiting_images", "Images that wait for the device.", registry=self.registry)
        self.in_flight = Gauge("gan_sweep_requests_in_flight", "Requests without an answer.", registry=self.registry)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)
