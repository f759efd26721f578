# mkdocs_publish.py: with
#
#	hooks: [mkdocs_publish.py]
#
# in mkdocs.yml, `PUBLISH=1 mkdocs build` puts the site live.
import os
import subprocess


# MkDocs writes the time into each build: let it be that of the last commit,
# or no build is ever unchanged.
def on_startup(command, dirty):
    time = subprocess.run("git log -1 --format=%ct || date +%s", shell=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=True)
    os.environ.setdefault("SOURCE_DATE_EPOCH", time.stdout.strip())


def on_post_build(config):
    # `deploy publish` that runs MkDocs does the rest itself.
    if "PUBLISH" in os.environ and "DEPLOY_BUILD" not in os.environ:
        subprocess.run(["deploy", "publish", config["site_dir"]], check=True)
