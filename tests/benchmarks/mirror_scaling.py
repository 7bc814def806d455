"""What a mirror costs, and what an outage costs it: many objects, an interruption, and a server that is killed for a while.

Starts versitygw behind the tests' counting proxy, makes files with drawn content, and prints:
1. seconds, objects per second and peak memory of the mirroring process for a half and for all of the objects (linear: ratio 2);
2. a mirror that is killed in the middle and called again: PUT requests in all, against the number of objects;
3. a mirror whose server is killed for some seconds;
4. a loop that saves states as a training does, whose server is killed for some seconds (with --training).

    uv run python tests/benchmarks/mirror_scaling.py [--objects 10000] [--megabytes 2000] [--outage 20] [--training]
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "bucket"))  # the server and the proxy of the tests

import numpy as np
from fault_proxy import FaultProxy
from gateway import ACCESS_KEY, SECRET_KEY, Gateway, versitygw

MIRROR = """
import logging, resource, sys, time
from patina_pipelines.mirror import mirror
logging.basicConfig(level=logging.WARNING)
began = time.monotonic()
done = mirror(sys.argv[1], sys.argv[2])
print(f"{done.files} files, {done.sent} sent, {done.sent_bytes / 1e6:.0f} MB, {time.monotonic() - began:.1f} s, "
      f"{time.process_time():.1f} s of CPU, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
"""
TRAINING = """
import sys, time
import torch
from patina.train.checkpoints import open_store
longest = 0.0
with open_store(sys.argv[1], {"benchmark": 1}) as store:
    end = time.monotonic() + float(sys.argv[2])
    step = 0
    while time.monotonic() < end:
        step += 1
        time.sleep(0.1)  # a step of the training
        if step % 20 == 0:
            began = time.monotonic()
            store.save(step, {"weights": torch.full((2_000_000,), float(step)), "step": step})
            longest = max(longest, time.monotonic() - began)
with open_store(sys.argv[1], {"benchmark": 1}) as store:
    found = store.newest()
print(f"{step} steps, last saved {step - step % 20}, found in the bucket {found and found['step']}, longest save {longest:.2f} s")
"""


def say(line: str) -> None:
    """Prints `line`."""
    print(line, flush=True)  # noqa: T201 - a script's output


def files(folder: Path, count: int, megabytes: float) -> Path:
    """Makes `count` files of equal size that hold `megabytes` together."""
    generator, size = np.random.default_rng(0), int(megabytes * 1e6 / count)
    for number in range(count):
        path = folder / f"{number // 100:03d}" / f"{number:06d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(generator.bytes(size))
    return folder


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    """A process that runs `script`."""
    return subprocess.Popen([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True, start_new_session=True)


def finished(process: subprocess.Popen[str]) -> str:
    """What `process` printed at its end."""
    output = process.communicate()[0].strip()
    return f"exit {process.returncode}: {output}"


def killed_for(gateway: Gateway, seconds: float, after: float) -> threading.Thread:
    """Kills the server `after` seconds from now, and starts it again `seconds` later."""

    def act() -> None:
        time.sleep(after)
        gateway.kill()
        time.sleep(seconds)
        gateway.start()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Waits until `condition` holds or the process has ended."""
    while not condition() and process.poll() is None:
        time.sleep(0.02)


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--megabytes", type=float, default=2000)
    parser.add_argument("--outage", type=float, default=20)
    parser.add_argument("--training", action="store_true")
    asked = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / "buckets").mkdir()
        gateway = Gateway(versitygw(), root / "buckets")
        for share in (2, 1):
            folder = files(root / f"part-{share}", asked.objects // share, asked.megabytes / share)
            os.environ["AWS_ENDPOINT_URL_S3"] = gateway.url
            say(f"1/{share} of the objects: {finished(start(MIRROR, str(folder), gateway.make_bucket(f'linear-{share}')))}")
        interrupted(gateway, folder, asked.objects)
        outage(gateway, files(root / "few", max(40, asked.objects // 10), asked.megabytes / 10), asked.outage)
        if asked.training:
            os.environ["AWS_ENDPOINT_URL_S3"] = gateway.url
            process = start(TRAINING, gateway.make_bucket("training"), str(asked.outage + 20))
            thread = killed_for(gateway, asked.outage, after=10)
            say(f"training, server killed for {asked.outage:g} s: {finished(process)}")
            thread.join()
        gateway.kill()


def interrupted(gateway: Gateway, folder: Path, objects: int) -> None:
    """A mirror that is killed when half has arrived, and called again."""
    proxy = FaultProxy(gateway.port)
    os.environ["AWS_ENDPOINT_URL_S3"] = proxy.url
    target = gateway.make_bucket("interrupted")
    first = start(MIRROR, str(folder), target)
    until(lambda: proxy.count("PUT") >= objects // 2, first)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    halfway = proxy.count("PUT")
    say(f"killed after {halfway} PUT, then: {finished(start(MIRROR, str(folder), target))}")
    paths = [path for method, path, _, status in proxy.book if method == "PUT" and status == 200]
    say(
        f"PUT requests in all: {len(paths)}, of {len(set(paths))} keys, for {objects} objects and one index; {proxy.put_bytes / 1e6:.0f} MB"
    )
    proxy.close()


def outage(gateway: Gateway, folder: Path, seconds: float) -> None:
    """A mirror whose server is killed in the middle."""
    proxy = FaultProxy(gateway.port)
    os.environ["AWS_ENDPOINT_URL_S3"] = proxy.url
    process = start(MIRROR, str(folder), gateway.make_bucket("outage"))
    until(lambda: proxy.count("PUT") >= 20, process)
    thread = killed_for(gateway, seconds, after=0)
    say(f"mirror, server killed for {seconds:g} s: {finished(process)}")
    thread.join()
    proxy.close()


if __name__ == "__main__":
    main()
