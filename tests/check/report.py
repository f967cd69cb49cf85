# SPDX-License-Identifier: GPL-2.0-or-later
"""What has become of the tests: told at once, counted, and summed up at the end."""


def first_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[0].strip() if lines else "no reason was given"


WORKED, AGAIN = "tried once more, alone, it worked", "tried once more, alone, it failed again"
HOPELESS = 3


def number(tests):
    return f"{len(tests)} test{'s' * (len(tests) != 1)}"


class Report:
    def __init__(self, screen):
        self.screen = screen
        self.count = {"passed": 0, "failed": 0, "skipped": 0}
        self.failures = []              # lines
        self.left = []                  # (job's name, [test]): for lack of time
        self.setups = {}                # {job's name: what came of it when it was tried again}: set-ups that failed

    def hopeless(self):
        """Whether so many set-ups have failed when they were alone, too, that company is not what ails them."""
        return sum(what == AGAIN for what in self.setups.values()) >= HOPELESS

    def progress(self, to_come):
        done = sum(self.count.values())
        total = done + to_come + sum(len(tests) for _, tests in self.left)
        return f"{done} of {total} tests" + (f", {self.count['failed']} failed" if self.count["failed"] else "")

    def take(self, job):
        """The outcomes of a job that are new."""
        fresh, job.fresh = job.fresh, []
        for o in fresh:
            if o.outcome == "setup" and not job.alone and not self.hopeless():
                job.failed_setups.append(o.test)
            elif o.outcome in ("setup", "failed"):
                self.fail(o.test, o.message, job)
            else:
                self.count[o.outcome] += 1
                job.passed += o.outcome == "passed"

    def fail(self, test, message, job):
        self.count["failed"] += 1
        self.failures.append(f"{test}: {first_line(message)[:400]}")
        self.screen.line(f"FAILED  {test}\n{message.strip()}\n(the whole of it: {job.log})")

    def ended(self, job):
        took = f"{job.took:.0f} s, {job.processor:.0f} s of processor time"
        if job.failed_setups:
            self.screen.line(f"SET-UP  of {job.name} failed; it is tried once more, alone on the machine\n{job.said(12)}")
            self.setups[job.plan.name] = "there was no time to try it again"
        elif job.alone:
            self.setups[job.plan.name] = WORKED if job.good else AGAIN
        tests = f"{job.passed} passed, " if job.passed > 1 else ""
        self.screen.line(f"{'ok     ' if job.good else 'ended  '} {job.name} ({tests}{took})")

    def not_run(self, job, why):
        """A job that cannot run since another one failed."""
        self.fail(job.name, f"not run: {why}", job)

    def leave(self, job):
        """There is no time for (the rest of) a job."""
        if job.left:
            self.left.append((job.name, job.left))
            self.screen.line(f"no time {job.name}: {number(job.left)} left")

    def close(self, budget):
        """The last words; the exit status."""
        lines = [f"NOT RUN {name}: {number(tests)}\n" + "\n".join(f"            {test}" for test in tests)
                 for name, tests in self.left]
        lines += [f"SET-UP  of {name} failed; {what}" for name, what in self.setups.items()]
        lines += [f"FAILED  {failure}" for failure in self.failures]
        if self.setups:
            lines.append(f"set-ups that failed at first: {len(self.setups)}")
        if self.left:
            lines.append(f"NOT RUN, for lack of time: {number([t for _, tests in self.left for t in tests])}; {budget} were not "
                         "enough (./check --budget MINUTES)")
        passed, failed, skipped = self.count.values()
        lines.append(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
        self.screen.end(lines)
        return 1 if failed or not passed else 0
