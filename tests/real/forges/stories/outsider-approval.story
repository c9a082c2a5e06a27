# Somebody who may read and not approve says the word, and is told that it is none.
not on local: who is not named there may not even read
ana opens move-www: www = 192.0.2.7
it waits for approval
mallory comments "/trueup approve"
it answers "mallory"
it is still awaiting_approval
BIND still answers www 192.0.2.1
ben approves it
it merges
