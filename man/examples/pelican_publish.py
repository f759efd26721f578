# plugins/pelican_publish.py: a build puts the site live.  With
#
#	PLUGIN_PATHS = ["plugins"]
#	PLUGINS = ["pelican_publish"]
#	DELETE_OUTPUT_DIRECTORY = True	# or deleted pages stay
#
# in publishconf.py, and only there, builds for a look stay at home:
# `pelican content -s publishconf.py` publishes.
import os
import subprocess

from pelican import signals


def publish(pelican):
    # `deploy publish` that runs Pelican does the rest itself.
    if "DEPLOY_BUILD" not in os.environ:
        subprocess.run(["deploy", "publish", pelican.output_path],
                       check=True)


def register():
    signals.finalized.connect(publish)
