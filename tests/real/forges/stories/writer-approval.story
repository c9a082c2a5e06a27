# Whoever may write may not approve by that alone.
ana opens move-www: www = 192.0.2.7
it waits for approval
cleo comments "/trueup approve"
it answers "cleo"
it is still awaiting_approval
ben approves it
it merges
