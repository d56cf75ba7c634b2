"""What requests and answers of the API hold. FastAPI checks requests against it and writes it into /openapi.json."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from orchestrator.serving.encode import ONE, SEVERAL
from orchestrator.serving.limits import COUNT

MOST = 2**53 - 1  # the largest whole number that every reader of JSON holds exactly


def _whole(value: Any) -> Any:
    """JSON knows one kind of number: 2.0 is 2."""
    return int(value) if type(value) is float and value.is_integer() else value


Number = Annotated[int, Field(ge=0, le=MOST), BeforeValidator(_whole)]
Distance = Annotated[
    float, Field(ge=0, le=1, description="0 is the image itself, 1 one that has nothing to do with it.")
]


class _Body(BaseModel):
    """Unknown keys and texts where numbers belong are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Drawn(_Body):
    truncation: Annotated[
        float, Field(ge=0, le=2, description="Below 1 images are more typical and vary less; 0 is the mean image.")
    ] = 1.0
    classes: Annotated[
        dict[str, str],
        Field(description='The wanted class of an attribute, such as {"hair": "blonde"}; drawn where not given.'),
    ] = {}


class _Images(_Drawn):
    seed: Annotated[Number | None, Field(description="Of all that is drawn; without one, it is drawn too.")] = None
    first: Annotated[Number, Field(description="Number of the first image: a seed has images 0, 1, 2, ...")] = 0


class Step(_Body):
    """A step of a walk: which way, and how far."""

    seed: Number
    number: Number
    distance: Distance


class _Walk(_Drawn):
    seed: Annotated[Number, Field(description="Of the image to start from.")]
    number: Annotated[Number, Field(description="Of the image to start from.")] = 0
    path: Annotated[
        list[Step], Field(max_length=COUNT, description="Steps to the image in the middle; empty: the start itself.")
    ] = []
    distance: Distance = 0.25
    direction_seed: Annotated[
        Number | None, Field(description="Of the directions to the neighbours; without one, it is drawn.")
    ] = None


def _only_one(count: Any) -> Any:
    count = _whole(count)
    if type(count) is int and count > 1:
        raise ValueError(f"a PNG or WebP file holds one image: for several ask for format {' or '.join(SEVERAL)}")
    return count


def _known(form: Any) -> Any:
    """A body of no known format is checked as one of `_One`, whose own rule would name those of one image alone."""
    *others, last = (repr(name) for name in (*ONE, *SEVERAL))
    if form not in (*ONE, *SEVERAL):
        raise ValueError(f"must be {', '.join(others)} or {last}")
    return form


class _One(_Body):
    format: Annotated[Literal["png", "webp"], Field(description="WebP is lossless."), BeforeValidator(_known)] = "png"
    count: Annotated[Literal[1], BeforeValidator(_only_one)] = 1


class _Several(_Body):
    format: Annotated[
        Literal["zip", "grid"],
        Field(description="A ZIP of PNG files, or one PNG without gaps, X-Columns images to a row."),
    ]
    count: Annotated[int, Field(ge=1, le=COUNT), BeforeValidator(_whole)] = 1


class OneImage(_Images, _One):
    """One image of a seed, as a PNG or WebP file."""


class SeveralImages(_Images, _Several):
    """Several images of a seed, in one file."""


class OneNeighbour(_Walk, _One):
    """One neighbour of an image, as a PNG or WebP file."""


class SeveralNeighbours(_Walk, _Several):
    """Several neighbours of an image, in one file."""


def _which(body: Any) -> str:
    form = body.get("format") if isinstance(body, dict) else getattr(body, "format", None)
    return "several" if form in tuple(SEVERAL) else "one"


TAGS = ("one", "several")
ImagesBody = Annotated[
    Annotated[OneImage, Tag("one")] | Annotated[SeveralImages, Tag("several")], Discriminator(_which)
]
WalkBody = Annotated[
    Annotated[OneNeighbour, Tag("one")] | Annotated[SeveralNeighbours, Tag("several")], Discriminator(_which)
]


class Problem(BaseModel):
    """Why a request was not answered."""

    detail: str


class ModelFacts(BaseModel):
    """What is served.

    Attributes:
        name: ``SWEEP/TRIAL``, or the name of a file or folder.
        generate_from: what `gan-sweep generate` takes to make the same images: ``SWEEP --trial TRIAL``, or the name of
            a checkpoint's file; null for a folder that was exported, which it does not take.
        digest: of the weights; the header X-Model of every answer.
        epoch: how long it was trained.
        fid: its FID in the sweep, if it comes from one.
        fid_protocol: how that was measured.
        image_size: height and width of its images, pixels.
        classes: of each attribute that can be asked for.
        directions: of its translations; empty for one that makes images from latents.
        precision: of its arithmetic. In float64 the same request gives the same bytes, whatever it is computed with.
    """

    name: str
    generate_from: str | None
    digest: str
    family: str
    network: str
    epoch: int
    fid: float | None
    fid_protocol: str | None
    image_size: int
    classes: dict[str, list[str]]
    directions: list[str]
    device: str
    precision: str
    most_images: int = COUNT
