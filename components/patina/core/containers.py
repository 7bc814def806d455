"""References of the project's container images, as they stand in the compiled pipeline.

`patina compile --registry --digests` and local runs replace them in the compiled specification; components name them only here.
"""

DATA = "docker.io/patina/data:0.1.0"
"""Image of the stages that need no torch."""
TORCH = "docker.io/patina/torch:0.1.0"
"""Image of training and evaluation."""
