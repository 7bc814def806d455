"""The benchmark: pictures -> split -> tiles and weights -> (train -> evaluate) per architecture -> comparison."""

from typing import NamedTuple

from kfp import dsl, kubernetes
from kfp.dsl import Artifact, Dataset, Input, Model

from patina.augment.component import augment
from patina.class_weights.component import class_weights
from patina.compare.component import compare
from patina.download.component import download
from patina.evaluate.component import evaluate
from patina.models.architectures import STANDARD
from patina.split.component import split
from patina.train.component import train
from patina_pipelines.resources import DATA_CPU, DATA_MEMORY, loop_item, pool

DEFAULT_ITEMS = [loop_item(name, pool(name, "cpu")) for name in STANDARD]


class TrainAndEvaluateOutputs(NamedTuple):
    """What one architecture yields."""

    model: Model
    evaluation: Dataset


@dsl.pipeline(name="train-and-evaluate", description="Trains one architecture on its node pool and scores it on the test pictures.")
def train_and_evaluate(
    tiles: Input[Dataset],
    weights: Input[Artifact],
    test_images: Input[Dataset],
    recipe: str,
    epochs: int,
    seed: int,
    checkpoints: str,
    train_settings: str,
    architecture: str,
    node_selector: dict,
    tolerations: list,
    accelerator_type: str,
    accelerator_count: str,
    cpu: str,
    memory: str,
) -> NamedTuple("Outputs", [("model", Model), ("evaluation", Dataset)]):  # the compiler needs the tuple spelled out here
    """Trains and scores one architecture.

    A pipeline of its own, because the backend resolves a loop item's fields in node selectors, tolerations and
    accelerators only when they are inputs of the DAG that holds the task.
    """
    trained = train(
        tiles=tiles,
        weights=weights,
        architecture=architecture,
        recipe=recipe,
        epochs=epochs,
        seed=seed,
        cpu=cpu,
        checkpoints=checkpoints,
        settings=train_settings,
    ).set_display_name("train")
    scored = evaluate(model=trained.outputs["model"], test_images=test_images, cpu=cpu).set_display_name("evaluate")
    for task in (trained, scored):
        kubernetes.add_node_selector_json(task, node_selector)
        kubernetes.add_toleration_json(task, tolerations)
        task.set_accelerator_type(accelerator_type).set_accelerator_limit(accelerator_count)
        task.set_cpu_request(cpu).set_cpu_limit(cpu).set_memory_request(memory).set_memory_limit(memory)
    return TrainAndEvaluateOutputs(trained.outputs["model"], scored.outputs["evaluation"])


@dsl.pipeline(name="benchmark", description="Which architecture maps damage on these pictures best, and can that be believed?")
def benchmark(
    data: str = "sample",
    pictures: int = 96,
    seed: int = 0,
    tile_size: int = 384,
    recipe: str = "standard",
    epochs: int = 50,
    architectures: list = DEFAULT_ITEMS,
    checkpoints: str = "none",
    download_settings: str = "{}",
    split_settings: str = "{}",
    augment_settings: str = "{}",
    train_settings: str = "{}",
):
    """Trains and compares architectures on one data set.

    Args:
        data: `sample` (generated pictures), `hf://danielaivanova/damaged-media` (ARTeFACT), `s3://bucket/prefix` (a mirror), or a folder.
        pictures: Number of generated pictures; only for `sample`.
        seed: Source of all randomness: the same seed on the same data repeats the run.
        tile_size: Edge of the training tiles in pixels, a multiple of 32.
        recipe: Named training settings: `standard` or `quick`.
        epochs: Passes over the training tiles.
        architectures: One object per training: the architecture and its node pool.
        checkpoints: Folder or s3://bucket/prefix that outlives the pod, where a stopped training finds its last state; or `none`.
        download_settings: JSON object of settings of the download stage.
        split_settings: JSON object of settings of the split stage.
        augment_settings: JSON object of settings of the augment stage.
        train_settings: JSON object of changes to the recipe, by dotted key.
    """
    raw = download(data=data, pictures=pictures, seed=seed, settings=download_settings).set_display_name("download")
    parts = split(raw=raw.outputs["raw"], seed=seed, settings=split_settings).set_display_name("split")
    tiles = augment(
        raw=raw.outputs["raw"], splits=parts.outputs["splits"], tile_size=tile_size, seed=seed, settings=augment_settings
    ).set_display_name("augment")
    weights = class_weights(raw=raw.outputs["raw"], splits=parts.outputs["splits"]).set_display_name("class weights")
    for task in (raw, parts, tiles, weights):
        task.set_cpu_request(DATA_CPU).set_memory_request(DATA_MEMORY)
    with dsl.ParallelFor(architectures, name="architectures") as item:
        results = train_and_evaluate(
            tiles=tiles.outputs["tiles"],
            weights=weights.outputs["weights"],
            test_images=parts.outputs["test_images"],
            recipe=recipe,
            epochs=epochs,
            seed=seed,
            checkpoints=checkpoints,
            train_settings=train_settings,
            architecture=item.architecture,
            node_selector=item.node_selector,
            tolerations=item.tolerations,
            accelerator_type=item.accelerator_type,
            accelerator_count=item.accelerator_count,
            cpu=item.cpu,
            memory=item.memory,
        ).set_display_name("train and evaluate")
    compare(
        evaluations=dsl.Collected(results.outputs["evaluation"]),
        models=dsl.Collected(results.outputs["model"]),
        splits=parts.outputs["splits"],
        tiles=tiles.outputs["tiles"],
        test_images=parts.outputs["test_images"],
        seed=seed,
    ).set_display_name("compare")
