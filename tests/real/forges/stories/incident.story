# An incident that an approver declares goes before those who asked first.
a health check fails from the beginning
ana opens one: www = 192.0.2.7
one waits for approval
ben approves one
BIND answers www 192.0.2.7
ana opens two: www = 192.0.2.8
two waits for approval
ben approves two
ana opens three: www = 192.0.2.9
three waits for approval
ben approves three
three says "`incident!2` asked first"
ben labels three incident
two says "`incident!3` asked first"
