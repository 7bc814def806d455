import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patina import __version__
from patina.core import provenance, storage
from patina.core.artifact import MANIFEST, SCHEMA_VERSION, open_artifact, read_manifest, seal
from patina.core.errors import DataRefused

HEX = "0123456789abcdef" * 4


@pytest.fixture
def folder(tmp_path):
    artifact = tmp_path / "splits"
    (artifact / "parts").mkdir(parents=True)
    (artifact / "splits.parquet").write_bytes(b"rows of the table")
    (artifact / "parts" / "fold.bin").write_bytes(bytes(range(256)))
    (artifact / "balance.html").write_text("<p>balance</p>")
    return artifact


def sealed(folder, **changes):
    return seal(folder, **{"kind": "splits", "inputs": {"raw": HEX}, "config": {"seed": 3}, "image": "patina/data:1"} | changes)


def edit_manifest(folder, **changes):
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def flip(path: Path, position: int):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_a_sealed_folder_opens_with_what_it_was_sealed_with(folder):
    manifest = sealed(folder)
    assert open_artifact(folder, "splits") == manifest
    assert manifest.inputs == {"raw": HEX}
    assert manifest.config == {"seed": 3}
    assert manifest.image == "patina/data:1"
    assert (manifest.code_version, manifest.code_digest) == (__version__, provenance.source_digest())
    assert manifest.libraries["numpy"]


def test_the_manifest_lists_every_file_with_size_and_digest(folder):
    manifest = sealed(folder)
    assert {name: record.bytes for name, record in manifest.files.items()} == {"splits.parquet": 17, "parts/fold.bin": 256}
    assert manifest.files["parts/fold.bin"].sha256 == storage.sha256_file(folder / "parts" / "fold.bin")
    assert set(manifest.facts) == {"balance.html"}


@pytest.mark.parametrize("name", ["splits.parquet", "parts/fold.bin", "balance.html"])
@pytest.mark.parametrize("position", [0, -1])
def test_one_flipped_bit_is_named_with_what_was_expected_and_found(folder, name, position):
    sealed(folder)
    before = storage.sha256_file(folder / name)
    flip(folder / name, position)
    with pytest.raises(DataRefused) as refusal:
        open_artifact(folder, "splits")
    for part in (str(folder), name, before[:12], storage.sha256_file(folder / name)[:12]):
        assert part in str(refusal.value)


def test_a_truncated_file_is_named_with_both_sizes(folder):
    sealed(folder)
    (folder / "splits.parquet").write_bytes(b"rows")
    with pytest.raises(DataRefused, match=r"'splits.parquet' should have 17 bytes.*found 4 bytes"):
        open_artifact(folder, "splits")


def test_a_missing_file_is_named(folder):
    sealed(folder)
    (folder / "parts" / "fold.bin").unlink()
    with pytest.raises(DataRefused, match=r"'parts/fold.bin' is missing"):
        open_artifact(folder, "splits")


def test_a_stray_file_is_named(folder):
    sealed(folder)
    (folder / "parts" / "left.over").touch()
    with pytest.raises(DataRefused, match=r"'parts/left.over' is not in the manifest"):
        open_artifact(folder, "splits")


def test_a_link_is_refused_when_sealing_and_when_opening(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    sealed(folder)
    (folder / "shortcut").symlink_to(outside)
    with pytest.raises(DataRefused, match="'shortcut'"):
        open_artifact(folder, "splits")
    with pytest.raises(DataRefused, match="'shortcut'"):
        sealed(folder)


def test_the_wrong_kind_is_refused_with_both_kinds(folder):
    sealed(folder)
    with pytest.raises(DataRefused, match=r"kind 'splits', expected 'tiles'"):
        open_artifact(folder, "tiles")


def test_another_schema_version_is_told_apart_from_damage(folder):
    manifest = sealed(folder)
    payload = {name: record.sha256 for name, record in manifest.files.items()}
    later = storage.digest_of({"kind": "splits", "schema_version": 99, "files": payload})
    edit_manifest(folder, schema_version=99, digest=later)
    with pytest.raises(DataRefused, match=f"schema version 99, expected {SCHEMA_VERSION}"):
        open_artifact(folder, "splits")


def test_a_folder_without_manifest_is_not_an_artifact(folder):
    with pytest.raises(DataRefused, match=f"has no {MANIFEST}"):
        open_artifact(folder, "splits")


@pytest.mark.parametrize("name", ["../outside.bin", "/etc/hostname", "parts/../../outside.bin", "..\\outside.bin"])
@pytest.mark.parametrize("role", ["files", "facts"])
def test_a_manifest_that_points_outside_its_folder_is_refused(folder, name, role):
    manifest = sealed(folder)
    edit_manifest(folder, **{role: {name: manifest.files["splits.parquet"].model_dump()}})
    with pytest.raises(DataRefused, match="outside its folder"):
        read_manifest(folder)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"digest": HEX}, "digest"),
        ({"config": {"seed": 4}}, "config_digest"),
        ({"files": {}}, "digest"),
        ({"kind": "paintings"}, "kind"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_manifest_edited_by_hand_is_refused_naming_the_field(folder, changes, named):
    sealed(folder)
    edit_manifest(folder, **changes)
    with pytest.raises(DataRefused, match=named):
        read_manifest(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_broken_manifest_is_refused(folder, content):
    sealed(folder)
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(DataRefused, match="is not a manifest"):
        read_manifest(folder)


@pytest.mark.parametrize("content", [{}, {"report.html": "<p>", "facts.json": "{}"}])
def test_an_artifact_holds_at_least_one_payload_file(tmp_path, content):
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataRefused, match="no payload file"):
        sealed(tmp_path)


def test_facts_inputs_and_config_do_not_change_the_content_digest(folder):
    before = sealed(folder)
    (folder / "balance.html").write_text("<p>another view</p>")
    (folder / "facts.json").write_text('{"seconds": 12.5}')
    after = sealed(folder, inputs={}, config={"seed": 4}, image="elsewhere")
    assert after.digest == before.digest
    assert after.facts != before.facts
    assert after.config_digest != before.config_digest


@pytest.mark.parametrize("change", ["byte", "name", "file", "kind"])
def test_the_content_digest_changes_with(folder, change):
    before = sealed(folder).digest
    kind = "splits"
    match change:
        case "byte":
            flip(folder / "splits.parquet", 3)
        case "name":
            (folder / "splits.parquet").rename(folder / "rows.parquet")
        case "file":
            (folder / "empty").touch()
        case "kind":
            kind = "weights"
    assert sealed(folder, kind=kind).digest != before


def test_equal_content_has_an_equal_digest_wherever_it_lies(folder, tmp_path):
    elsewhere = tmp_path / "deeper" / "copy"
    folder_digest = sealed(folder).digest
    elsewhere.parent.mkdir()
    folder.rename(elsewhere)
    assert open_artifact(elsewhere, "splits").digest == folder_digest


def test_metadata_for_kfp_is_flat_text(folder):
    # A nested value arrives as {"struct": {...}} in the next task of a real backend.
    manifest = sealed(folder)
    metadata = manifest.metadata()
    assert all(isinstance(value, str) for value in metadata.values())
    assert (metadata["kind"], metadata["digest"]) == ("splits", manifest.digest)


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec="utf-8"))
)
configs = st.dictionaries(
    st.text(st.characters(codec="utf-8")) | st.integers(),
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.integers(), inner)),
    max_size=4,
)


@given(config=configs)
def test_any_config_that_json_can_hold_survives(tmp_path_factory, config):
    folder = tmp_path_factory.mktemp("artifact")
    (folder / "payload.bin").write_bytes(b"x")
    manifest = sealed(folder, config=config)
    assert read_manifest(folder) == manifest
