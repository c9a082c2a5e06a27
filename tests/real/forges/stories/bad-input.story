# What cannot be is refused with its file and line, and mended by a push.
ana opens move-www: www = 192.0.2.999
it is refused
it says "192.0.2.999"
it shows trueup/plan as failure
ana pushes move-www: www = 192.0.2.7
it waits for approval
ben approves it
it merges
