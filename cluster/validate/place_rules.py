"""Rules about regions and zones."""

import re
from collections.abc import Iterator

from cluster.names import nearest_of
from cluster.validate.fields import regions, zone_letters
from cluster.validate.finding import Problem, listed, problem
from cluster.validate.launcher import Launcher
from cluster.validate.tree import Item

LAST_LETTER = "h"  # no region has had more zones than a to f; one with another letter may be new, or a slip


def region(file: Launcher) -> Iterator[Problem]:
    """The region exists."""
    if not file.on_cloud:
        return
    given = file.provider.get("location" if file.cloud == "azure" else "region")
    if given is None or not isinstance(given.value, str) or not given.value:
        return
    name = given.value.replace(" ", "").lower() if file.cloud == "azure" else given.value  # "West US 2" is westus2
    if name not in regions(file.cloud):
        near = nearest_of(name, regions(file.cloud))
        yield problem(given, f"{given.value!r} is no region of {file.cloud} that is known here", nearest=near)


def zone(file: Launcher) -> Iterator[Problem]:
    """Zones lie in the region: us-west-2a of us-west-2 (aws), us-west1-a of us-west1 (gcp), 1 to 3 (azure)."""
    for item in _zones(file):
        if isinstance(item.value, int) and not isinstance(item.value, bool) and file.cloud == "azure":
            names = [str(item.value)]
        elif isinstance(item.value, str):
            names = [part.strip() for part in item.value.split(",")]
        else:
            continue
        for name in names:
            yield from _one_zone(file, item, name)


def addresses(file: Launcher) -> Iterator[Problem]:
    """Zones and regions inside Google's addresses are the provider's: zones/us-central1-a/diskTypes/pd-ssd."""
    doubtful = any(True for _ in zone(file))  # then the addresses may be right
    zones = "" if doubtful else file.provider.text("availability_zone")
    place = {"regions": file.provider.text("region"), "zones": zones}
    for item in (i for node in file.node_types if file.cloud == "gcp" for i in node.item.walk()):
        name = item.path[-1] if item.path else ""
        for kind, given in re.findall(
            r"(?:^|/)(zones|regions)/([^/]+)/", item.value if isinstance(item.value, str) else ""
        ):
            if place[kind] and given != place[kind] and name != "acceleratorType":  # that rule says it
                yield problem(
                    item, f"{kind}/{given} is not {place[kind]!r}, where the machines are", nearest=place[kind]
                )


def _zones(file: Launcher) -> Iterator[Item]:
    zones = [file.provider.get("availability_zone")]
    for node in file.node_types:
        zones.append(node.item.get("node_config", "Placement", "AvailabilityZone"))
        zones.append(node.item.get("node_config", "azure_arm_parameters", "availability_zone"))
    yield from (zone for zone in zones if zone is not None)


def _one_zone(file: Launcher, item: Item, name: str) -> Iterator[Problem]:
    if file.cloud == "azure":
        if name.lower() not in ("1", "2", "3", "auto", "none"):
            yield problem(item, f"{name!r} is no zone of Azure: 1, 2, 3, auto or none")
        return
    place = file.provider.text("region")
    form = {"aws": r"{}(-[a-z0-9-]+)?[a-z]", "gcp": r"{}-(ai\d+)?[a-z]"}.get(file.cloud)
    if form and place and not re.fullmatch(form.format(re.escape(place)), name):
        example = f"{place}a" if file.cloud == "aws" else f"{place}-a"
        yield problem(item, f"the zone {name!r} is not in the region {place!r}", nearest=example)
    elif form and place:
        yield from _letter(file.cloud, place, item, name)


def _letter(cloud: str, place: str, item: Item, name: str) -> Iterator[Problem]:
    """The last letter is one of the region's; which zones of other kinds there are is not known here."""
    lead = place if cloud == "aws" else f"{place}-"
    letter = name.removeprefix(lead)
    known = zone_letters(cloud, place)
    if len(letter) != 1 or letter in known or (not known and letter <= LAST_LETTER):
        return
    zones = f"; known: {listed(lead + each for each in known)}" if known else ""
    if letter > LAST_LETTER:
        yield problem(item, f"there is no zone {name!r}{zones}", nearest=f"{lead}{known[:1] or 'a'}")
    else:
        yield problem(item, f"the zone {name!r} is not known here{zones}", warning=True)
