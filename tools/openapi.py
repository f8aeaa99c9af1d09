"""Write the OpenAPI description of Tabasco's HTTP interface into the file that is given."""

import json
import sys
from pathlib import Path

from tabasco.http import description

Path(sys.argv[1]).write_text(json.dumps(description(), indent=1, sort_keys=True) + "\n")
