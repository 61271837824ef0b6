# SPDX-License-Identifier: BSD-3-Clause
# bash completion for dstm-client and dstmctl. Every word comes out of the program's own usage, so that there is
# nothing to keep in step.

# The options in the usage on standard input: "OPTION" or "OPTION WHAT-IT-TAKES" a line.
_dstm_options() {
	sed -nE 's/^  ((-[A-Za-z]), )?(--?[A-Za-z][a-z-]*)( ([^ ]+))?  .*/\2\n\3 \5/p' | grep .
}

# Fills COMPREPLY: _dstm_reply USAGE WORDS: options of USAGE, what the option before takes, or one of WORDS.
_dstm_reply() {
	local options takes cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}

	options=$(_dstm_options <<<"$1")
	takes=$(awk -v option="$before" '$1 == option { print $2; exit }' <<<"$options")
	case $takes in
	FILE | PATH | SOCKET) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	*'|'*) mapfile -t COMPREPLY < <(compgen -W "${takes//|/ }" -- "$cur") ;;
	?*) COMPREPLY=() ;;
	'')
		[[ $cur == -* ]] && set -- "$1" "$(cut -d ' ' -f 1 <<<"$options")"
		mapfile -t COMPREPLY < <(compgen -W "$2" -- "$cur")
		;;
	esac
}

# "dstm-client COMMAND: help", then the command's options. Behind "--" stands a program and what it takes.
_dstm_client() {
	local usage commands command="" i

	for ((i = 2; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -- ]]; then
			((i == COMP_CWORD - 1)) && i=-c || i=-f
			mapfile -t COMPREPLY < <(compgen "$i" -- "${COMP_WORDS[COMP_CWORD]}")
			return
		fi
	done
	usage=$("$1" --help 2>/dev/null)
	commands=$(sed -nE 's/^dstm-client ([a-z]+):.*/\1/p' <<<"$usage")
	if ((COMP_CWORD > 1)) && grep -qxF -e "${COMP_WORDS[1]}" <<<"$commands"; then
		command=" ${COMP_WORDS[1]}"
		commands=
	elif ((COMP_CWORD > 1)); then
		commands=
	fi
	_dstm_reply "$(sed -n "/^dstm-client$command:/,/^\$/p" <<<"$usage")" "$commands"
}

# "  DAEMON COMMAND help" lines, then options.
_dstmctl() {
	local usage words=

	usage=$("$1" --help 2>/dev/null)
	case $COMP_CWORD in
	1) words=$(awk '/^  [a-z]/ { print $1 }' <<<"$usage" | sort -u) ;;
	2) words=$(awk -v daemon="${COMP_WORDS[1]}" '/^  [a-z]/ && $1 == daemon { print $2 }' <<<"$usage") ;;
	esac
	_dstm_reply "$usage" "$words"
}

complete -o filenames -F _dstm_client dstm-client
complete -o filenames -F _dstmctl dstmctl
