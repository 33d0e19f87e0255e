# SPDX-License-Identifier: Apache-2.0
# fish completion for heaptide: heaptide completion fish
function __heaptide_complete
	set -l words (commandline -opc)
	set -l word (commandline -ct)
	for line in ($words[1] __complete $words[2..-1] "$word" 2>/dev/null)
		switch $line
			case :nospace
			case :commands
				__fish_complete_command
			case :files
				__fish_complete_path "$word"
			case '*'
				echo $line
		end
	end
end
complete -c heaptide -f -a '(__heaptide_complete)'
