# A base that moves under an approved plan takes nothing off it.
ana opens one: www = 192.0.2.7
ana opens two as a draft: mail = 192.0.2.8
one waits for approval
two waits for approval
ben approves two
ben approves one
one merges
ana makes two ready
two merges
BIND still answers www 192.0.2.7
BIND still answers mail 192.0.2.8
