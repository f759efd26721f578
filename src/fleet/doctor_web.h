/*
 * Doctor's verdicts about the web servers of a host: are they given `current`,
 * which changes, or something that stays as it is?  What their configuration
 * does not say in plain words, nothing is said of.
 */
#ifndef DOCTOR_WEB_H
#define DOCTOR_WEB_H

#include "fleet/doctor_root.h"

void doctor_judge_web(struct visit *v);

#endif
