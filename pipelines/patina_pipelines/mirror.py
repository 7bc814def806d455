"""`patina mirror`: copies a data set and encoder weights into a bucket, for clusters that reach no hub.

What the bucket holds already is not sent again: keys are digests, and one listing tells which are there. The index comes last.
"""

import json
import logging
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from patina.core import storage
from patina.core.bucket import Bucket, check_key, in_parallel
from patina.core.bucket_access import Patience
from patina.core.bucket_index import DATA, ENCODERS, INDEX, Index, IndexedFile
from patina.core.errors import DataRefused, StorageError, UsageError

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Offer:
    """A file that is to be in the mirror.

    Attributes:
        name: in the index.
        bring: makes it available on this machine and returns its path.
        file: its size and digest, where they are known without reading it: then it is brought only if the bucket lacks it.
        passing: whether the file on this machine is there for the mirror only, and goes when it is sent.
    """

    name: str
    bring: Callable[[], Path]
    file: IndexedFile | None = None
    passing: bool = False


@dataclass(frozen=True)
class Mirrored:
    """What a call of `mirror` did.

    Attributes:
        files: in the index.
        bytes: of these.
        sent: objects that were sent; the others were there.
        sent_bytes: of these.
    """

    files: int
    bytes: int
    sent: int
    sent_bytes: int


def mirror(source: str, target: str, *, encoders: Sequence[str] = (), patience: Patience | None = None) -> Mirrored:
    """Copies `source` and the weights of `encoders` to `target`; `--data s3://...` reads them there.

    The index names what this call was given. What an earlier index named beyond that is left to `patina prune`.

    Args:
        source: a folder, `hf://` and the pinned data set, or "none".
        target: `s3://bucket/prefix`.
        encoders: architectures whose ImageNet weights are copied from the hub.
        patience: with a bucket that stumbles.

    Raises:
        UsageError: nothing to copy, or a source or architecture that is not known.
        DataRefused: no such folder, a file whose name no bucket takes, or one that changed meanwhile.
        StorageError: hub or bucket cannot be reached or refuse.
    """
    with tempfile.TemporaryDirectory(prefix="patina-mirror-") as place:
        origin, offers = _offers(source, Path(place))
        offers += [offer for architecture in encoders for offer in _encoder(architecture, Path(place) / "hub")]
        if not offers:
            raise UsageError("nothing to mirror. Give a folder or hf://..., or --encoders with names of architectures.")
        bucket = Bucket(target, patience)
        desk = _Desk(bucket)
        files = in_parallel(desk.take, offers)
    desk.check(files)
    index = Index(source=origin, files={offer.name: file for offer, file in zip(offers, files, strict=True)})
    bucket.put_bytes(INDEX, json.dumps(index.model_dump(mode="json"), sort_keys=True, ensure_ascii=False).encode())
    return Mirrored(len(files), sum(file.bytes for file in files), desk.sent, desk.sent_bytes)


class _Desk:
    """Takes offers from several threads and sends every content once."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._there = {stored.key: stored.bytes for stored in bucket.listing("objects/")}
        self._lock = threading.Lock()
        self.sent = 0
        self.sent_bytes = 0

    def take(self, offer: Offer) -> IndexedFile:
        """Sees to it that the bucket holds the offer's content."""
        path = None if offer.file is not None else offer.bring()
        file = offer.file or _described(path or offer.bring())
        with self._lock:
            present = self._there.get(file.key) == file.bytes
            self._there[file.key] = file.bytes
            self.sent += not present
            self.sent_bytes += 0 if present else file.bytes
        if not present:
            path = path or offer.bring()
            self._bucket.put_file(path, file.key, file.sha256)
            _log.info("sent %s, %.1f MB", offer.name, file.bytes / 1e6)
        if offer.passing and path is not None:
            path.unlink()
        return file

    def check(self, files: Sequence[IndexedFile]) -> None:
        """Looks once more, because somebody may have pruned what was there at the beginning.

        Raises:
            StorageError: something is not there.
        """
        there = {stored.key: stored.bytes for stored in self._bucket.listing("objects/")}
        if lost := {file.key for file in files if there.get(file.key) != file.bytes}:
            raise StorageError(f"{len(lost)} objects of {self._bucket.url} were removed meanwhile. Mirror again.")


def _offers(source: str, scratch: Path) -> tuple[str, list[Offer]]:
    """The name of `source` for the index, and its files."""
    if source == "none":
        return "encoders", []
    if source.startswith("hf://"):
        return _data_set(source, scratch)
    if "://" in source:
        raise UsageError(f"source {source!r:.80} is not known: expected a folder, hf://..., or none.")
    folder = Path(source)
    if not folder.is_dir():
        raise DataRefused(f"{folder} is no folder. Give the one that holds the shards, or the pictures and masks.")
    return f"folder {folder.resolve().name}", list(_folder(folder))


def _folder(folder: Path) -> Iterator[Offer]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise DataRefused(f"{path} is a link. A mirror holds plain files only: copy what it points to.")
        if path.is_file() and not any(part.startswith(".") for part in Path(name).parts):
            yield Offer(DATA + check_key(name), lambda path=path: path)


def _data_set(source: str, scratch: Path) -> tuple[str, list[Offer]]:
    from patina.download import hub
    from patina.download.transfer import Patience as HubPatience
    from patina.download.transfer import RemoteFile, fetch

    if source != f"hf://{hub.DATASET}":
        raise UsageError(f"source {source!r:.80} is not known: of the hub, only hf://{hub.DATASET} is mirrored.")
    patience = HubPatience()
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    shards = hub.list_shards(endpoint, patience)

    def bring(shard: RemoteFile) -> Path:
        return fetch(shard, scratch / "shards", patience)

    def offer(shard: RemoteFile) -> Offer:
        file = IndexedFile(bytes=shard.size, sha256=shard.sha256)
        return Offer(DATA + shard.name, lambda: bring(shard), file, passing=True)

    return f"{source}@{hub.REVISION}", [offer(shard) for shard in shards]


def _encoder(name: str, cache: Path) -> list[Offer]:
    """The files that the hub's client asks for when the network of an architecture is built with ImageNet weights."""
    import segmentation_models_pytorch as smp
    import timm
    from huggingface_hub import hf_hub_download

    from patina.models.architectures import facts, parse_architecture

    known = facts(parse_architecture(name))
    if known.depths is not None:
        raise UsageError(f"{name} has no ImageNet weights to mirror. Leave it out.")
    if known.encoder.startswith("tu-"):
        settings = timm.get_pretrained_cfg(known.encoder.removeprefix("tu-"))
        repository, revision, wanted = str(settings and settings.hf_hub_id).partition("@")[0], None, ["model.safetensors"]
    else:
        pinned = smp.encoders.encoders[known.encoder]["pretrained_settings"]["imagenet"]
        repository, revision, wanted = pinned["repo_id"], pinned["revision"], ["config.json", "model.safetensors"]
    offers: list[Offer] = []
    for wanted_file in wanted:
        try:
            path = Path(hf_hub_download(repository, wanted_file, revision=revision, cache_dir=cache))
        except OSError as error:  # the hub client's errors (no route, 404, 5xx, offline mode) all derive from it
            raise StorageError(
                f"cannot fetch {wanted_file} of {repository} for {name} ({type(error).__name__}). Set HF_ENDPOINT to a hub that answers."
            ) from error
        commit = revision if revision and _COMMIT.fullmatch(revision) else path.parent.name
        offers.append(Offer(f"{ENCODERS}{repository}/{commit}/{wanted_file}", lambda path=path: path))
    return offers


def _described(path: Path) -> IndexedFile:
    try:
        return IndexedFile(bytes=path.stat().st_size, sha256=storage.sha256_file(path))
    except OSError as error:
        raise DataRefused(f"cannot read {path}: {error.strerror or error}.") from error
