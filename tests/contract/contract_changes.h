#ifndef TESTS_CONTRACT_CONTRACT_CHANGES_H
#define TESTS_CONTRACT_CONTRACT_CHANGES_H

/* The part of contract_run_source() that is about change capture. */
int contract_run_changes(void);

#endif
