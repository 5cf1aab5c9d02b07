#!/bin/sh
# Print a C header with one string for each file given: NAME=FILE …
# The comments at the top of a file stay out of it.
set -eu
echo "/* Made by src/control/sql/embed.sh; edit the files themselves. */"
for arg in "$@"; do
	name=${arg%%=*}
	file=${arg#*=}
	printf 'static const char %s[] __attribute__((unused)) =\n' "$name"
	awk '
		!begun && (/^--/ || /^$/) { next }
		{
			begun = 1
			gsub(/\\/, "&&")
			gsub(/"/, "\\\"")
			gsub(/\?/, "\\?")
			printf "\t\"%s\\n\"\n", $0
		}
		END { print "\t\"\";" }
	' "$file"
done
