# What is pushed in the middle of a run is planned from what is there, and waits for its own approval.
a health check fails from the beginning
ana opens move-www: www = 192.0.2.7
it waits for approval
ben approves it
BIND answers www 192.0.2.7
ana pushes move-www: www = 192.0.2.8
it waits for approval
BIND still answers www 192.0.2.7
ben approves it
BIND answers www 192.0.2.8
the health check passes
it merges
