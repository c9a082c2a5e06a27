# A check that whoever pushed sets themselves checks nothing.
not on local: the server does not take it from them
policy required_checks: [ci/test]
ana opens move-www: www = 192.0.2.7
it waits for approval
ben approves it
it waits for "ci/test"
ana sets ci/test of it to success
ana comments "/trueup help"
it answers "/trueup approve"
BIND still answers www 192.0.2.1
root sets ci/test of it to success
it merges
