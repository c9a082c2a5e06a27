# Who asked first goes first; who waits is told for whom.
a health check fails from the beginning
ana opens one: www = 192.0.2.7
one waits for approval
ben approves one
BIND answers www 192.0.2.7
ana opens two: www = 192.0.2.8
two waits for approval
ben approves two
two waits for "Queued behind"
BIND still answers www 192.0.2.7
the health check passes
one merges
two is conflicted
