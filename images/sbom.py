# /// script
# requires-python = ">=3.11"
# dependencies = ["cyclonedx-python-lib[json-validation]>=11,<12"]
# ///
"""Turns what `contents.py` found in an image into a CycloneDX list of components. Run by build.sh: `sbom.py IMAGE < CONTENTS`.

The list is made from the image itself: it names what would be imported and executed there, whatever the requirement list says.
"""

import json
import sys

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

VERSION = SchemaVersion.V1_6


def components(contents: dict[str, list[list[str]]]) -> list[Component]:
    """One component with its package URL for every Python distribution and every Debian package."""
    found = []
    for name, version, licence in contents["python"]:
        url = PackageURL("pypi", None, name.lower().replace("_", "-"), version)
        licences = [LicenseExpression(licence)] if licence else []
        found.append(Component(type=ComponentType.LIBRARY, name=name, version=version, purl=url, bom_ref=str(url), licenses=licences))
    for name, version, architecture in contents["debian"]:
        url = PackageURL("deb", "debian", name, version, {"arch": architecture})
        found.append(Component(type=ComponentType.LIBRARY, name=name, version=version, purl=url, bom_ref=str(url)))
    return found


def document(image: str, contents: dict[str, list[list[str]]]) -> str:
    """The list as JSON text.

    Raises:
        ValueError: it is no valid CycloneDX document.
    """
    name, _, tag = image.rpartition(":")
    bom = Bom(components=components(contents))
    bom.metadata.component = Component(type=ComponentType.CONTAINER, name=name, version=tag, bom_ref=image)
    bom.register_dependency(bom.metadata.component, bom.components)
    text = make_outputter(bom, OutputFormat.JSON, VERSION).output_as_string(indent=1)
    if fault := JsonStrictValidator(VERSION).validate_str(text):
        raise ValueError(f"the list of {image} is no valid CycloneDX document: {fault}")
    return text + "\n"


if __name__ == "__main__":
    sys.stdout.write(document(sys.argv[1], json.load(sys.stdin)))
