# A pause stops at the next safe point and undoes nothing.
a health check fails from the beginning
ana opens move-www: www = 192.0.2.7
it waits for approval
ben approves it
BIND answers www 192.0.2.7
ben comments "/trueup pause"
it is paused
the health check passes
main lacks 192.0.2.7
ben comments "/trueup resume"
it merges
