# The way back brings what was there, and nothing is merged.
a health check fails from the beginning
ana opens move-www: www = 192.0.2.7
it waits for approval
ben approves it
BIND answers www 192.0.2.7
ben comments "/trueup restore"
it is restored
BIND still answers www 192.0.2.1
main lacks 192.0.2.7
