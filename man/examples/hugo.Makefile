# Makefile of a site of Hugo, which has no hooks: `make publish` builds it and
# puts it live; what Hugo wrote before goes first, or a page whose source is gone
# would stay.  When the build fails, nothing is published.
publish:
	rm -rf public
	hugo --quiet --destination public
	deploy publish public

.PHONY: publish
