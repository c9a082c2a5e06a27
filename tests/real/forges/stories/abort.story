# An aborted run stops where it is and spends its approval.
a health check fails from the beginning
ana opens move-www: www = 192.0.2.7
it waits for approval
ben approves it
BIND answers www 192.0.2.7
ben comments "/trueup abort"
it is failed
the health check passes
main lacks 192.0.2.7
BIND still answers www 192.0.2.7
