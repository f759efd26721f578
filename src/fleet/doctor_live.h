/*
 * Doctor's verdicts about what goes on in a root: what is live, whether a web
 * server gets there, the lock, what dead runs left, hooks.
 */
#ifndef DOCTOR_LIVE_H
#define DOCTOR_LIVE_H

#include "fleet/doctor_root.h"

/* The root is there and sound (doctor_judge_root). */
void doctor_judge_live(struct visit *v);

#endif
