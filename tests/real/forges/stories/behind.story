# Where only what is up to date is taken, nothing is written for what could not be merged.
not on local: it merges whatever can be merged
root lets main take only what is up to date
ana opens one: www = 192.0.2.7
ana opens two: mail = 192.0.2.8
one waits for approval
two waits for approval
ben approves one
one merges
ben approves two
two waits for "rebase it onto"
two shows trueup/rollout as pending
ana pushes two anew: mail = 192.0.2.8
two merges
BIND still answers mail 192.0.2.8
