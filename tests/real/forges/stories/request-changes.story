# Whoever asks for changes holds the start until they say otherwise.
not on local: it has no reviews
ana opens move-www: www = 192.0.2.7
it waits for approval
cleo asks for changes of it
ben approves it
it waits for "thread"
BIND still answers www 192.0.2.1
cleo reviews it as good
it merges
