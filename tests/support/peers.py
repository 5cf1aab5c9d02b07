"""What tests need of etc/packages.peers. Where it is not installed they fail: a run
that leaves them out says nothing. DATAFLOW_PEERS=none, for machines without the
registries, has them left out, and pytest says so."""
import os


def are_left_out():
    return os.environ.get("DATAFLOW_PEERS") == "none"


def need(missing):
    """For a module of tests; `missing` says what is not there, or is None."""
    import pytest
    if not missing:
        return
    if are_left_out():
        pytest.skip(missing, allow_module_level=True)
    raise RuntimeError(f"{missing}: sh etc/install-packages, or set "
                       "DATAFLOW_PEERS=none to do without")
