# Nobody approves what they pushed.
ana opens move-www: www = 192.0.2.7
it waits for approval
ana comments "/trueup approve"
it answers "ana"
it is still awaiting_approval
ben approves it
it merges
