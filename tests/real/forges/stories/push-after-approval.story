# An approval stands for what was approved: something else is asked for anew.
ana opens move-www as a draft: www = 192.0.2.7
it waits for approval
ben approves it
ana pushes move-www: www = 192.0.2.8
it waits for approval
it says "192.0.2.8"
ana makes it ready
BIND still answers www 192.0.2.1
ben approves it
it merges
BIND still answers www 192.0.2.8
