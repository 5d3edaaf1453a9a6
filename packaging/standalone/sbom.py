"""Writes dist/sbom.cdx.json: what is in the standalone program, as a bill of materials (CycloneDX 1.6), the same from the same commit."""

import os
import sys
import uuid
from datetime import UTC, datetime

from components import components
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from parts import ROOT

OURS = uuid.UUID("2c7bbd3e-3f5b-4e0f-9a53-6f1b6c2e90d4")
"""The name space of our serial numbers."""


def main() -> None:
    """Write it. Exits with what is wrong with it, if anything is."""
    version, commit = os.environ["VERSION"], os.environ["COMMIT"]
    bom = Bom(serial_number=uuid.uuid5(OURS, f"{version} {commit}"))
    bom.metadata.timestamp = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    bom.metadata.component = livelog = Component(
        name="livelog",
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref="livelog",
        description=f"commit {commit}",
        licenses=[LicenseExpression("MPL-2.0")],
        purl=PackageURL("pypi", name="livelog-server", version=version),
    )
    for each in components():
        part = Component(
            name=each.name,
            version=each.version,
            type=ComponentType.LIBRARY,
            bom_ref=each.purl,
            licenses=[LicenseExpression(each.licence)],
            purl=PackageURL.from_string(each.purl),
        )
        bom.components.add(part)
        bom.register_dependency(livelog, [part])
    output = JsonV1Dot6(bom)
    text = output.output_as_string(indent=2)
    if (fault := JsonStrictValidator(output.schema_version).validate_str(text)) is not None:
        sys.exit(f"the bill of materials is not valid: {fault}")
    (ROOT / "dist/sbom.cdx.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
