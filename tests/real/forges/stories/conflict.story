# Of two that change the same, the second is told, and goes on once it is made anew.
ana opens one: www = 192.0.2.7
ana opens two: www = 192.0.2.8
two waits for approval
one waits for approval
ben approves one
one merges
two is conflicted
ana pushes two anew: www = 192.0.2.8
two waits for approval
ben approves two
two merges
BIND still answers www 192.0.2.8
