# Where policy says so, an approved plan waits for the word.
policy start: on_command
ana opens move-www: www = 192.0.2.7
it waits for approval
ben approves it
it waits for "/trueup start"
BIND still answers www 192.0.2.1
ben comments "/trueup start"
it merges
