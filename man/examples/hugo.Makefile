# Makefile of a site of Hugo, which has no hooks: `make publish` builds it and
# puts it live.  When the build fails, nothing is published.
publish:
	hugo --quiet --destination public --cleanDestinationDir
	deploy publish public

.PHONY: publish
