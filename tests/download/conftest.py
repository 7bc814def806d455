import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode gives test folders no package: `shards` is found here
