"""Writes the pickles of contexts as Python CRDS does: make_pickles.py CACHE OBSERVATORY OUTPUT CONTEXT..."""

import os
import pickle
import sys

cache, observatory, output, *contexts = sys.argv[1:]
os.environ.update(
    CRDS_PATH=cache,
    CRDS_OBSERVATORY=observatory,
    CRDS_SERVER_URL=f"https://{observatory}-serverless.stsci.edu",
)

from crds.core import rmap  # noqa: E402  (reads the environment when imported)

for name in contexts:
    context = rmap.load_mapping(name)
    context.force_load()
    with open(os.path.join(output, name + ".pkl"), "wb") as file:
        pickle.dump(context, file)
