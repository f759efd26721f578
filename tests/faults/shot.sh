#!/bin/sh
# usage: shot.sh LABEL
#
# Keep what has reached a disk that is a file under a loop device, as it would
# be found after a power cut now, and note what visitors may get from it.
#
# SHOT_DISK	the file
# SHOT_STAT	/sys/block/loopN/stat, of the device
# SHOT_DIR	where the images go, and `list`: a line "IMAGE<TAB>VERSIONS
#		<TAB>LABEL" for each shot
# SHOT_MAY	the versions that visitors may get then
# SHOT_BESIDE	if set, a file on that disk that a neighbour writes and
#		fsyncs first
#
# The loop device is not a direct one: what the file system has written is in
# the file, for whoever reads it, as soon as the device says so; and what is
# only in the page cache above is not.  Between two shots without a write
# nothing has changed and the image is the same.
set -eu

# Writes done, and requests on their way (Documentation/block/stat.rst).
look() {
	read -r _ _ _ _ writes _ _ _ busy _ <"$SHOT_STAT"
}

if [ -n "$SHOT_BESIDE" ]; then
	echo "$1" >>"$SHOT_BESIDE"
	sync "$SHOT_BESIDE"
fi
last=none image=none
[ ! -e "$SHOT_DIR/last" ] || read -r last image <"$SHOT_DIR/last"
look
# A copy that the disk outran is no image of any moment.
while [ "$writes" != "$last" ] || [ "$busy" -ne 0 ]; do
	if [ "$busy" -ne 0 ]; then
		sleep 0.005
		look
		continue
	fi
	last=$writes
	image=$writes
	cp --sparse=always "$SHOT_DISK" "$SHOT_DIR/$image"
	echo "$last $image" >"$SHOT_DIR/last"
	look
done
printf '%s\t%s\t%s\n' "$image" "$SHOT_MAY" "$1" >>"$SHOT_DIR/list"
