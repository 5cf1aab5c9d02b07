import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# What etc/install-packages fetched from PyPI, see etc/packages.peers.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)),
                                "build/python"))
sys.path.insert(0, HERE)
