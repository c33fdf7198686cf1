/**
 * Programs of the operating system that some tests use: a load balancer, parsers of other people's formats.
 *
 * Invariant: a missing program never passes in silence. Where CI runs it is a failure (scripts/debian-packages.txt
 * names the package); elsewhere the test says what it did not look at, and is counted as skipped.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

interface Skippable {
  skip(reason: string): never;
}

/** The path of `program`, or the test ends here. */
export function needsProgram(context: Skippable, program: string, debianPackage: string): string {
  const found = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin']
    .map((directory) => path.join(directory, program))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
  if (found !== undefined) return found;
  const what = `${program} is not installed (Debian package ${debianPackage})`;
  if (process.env['CI'] === 'true') throw new Error(`${what}; scripts/install-debian-packages.sh installs it`);
  return sayAndSkip(context, what);
}

/** Writes past the test reporter what is not looked at, and skips. */
export function sayAndSkip(context: Skippable, what: string): never {
  process.stderr.write(`\n*** SKIPPED: ${what} ***\n`);
  return context.skip(what);
}

const run = promisify(execFile);

/** Runs a program to its end. Rejects with what it printed when its exit code is not 0. */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: { env?: Readonly<Record<string, string>>; cwd?: string } = {},
): Promise<string> {
  try {
    const { stdout, stderr } = await run(file, [...args], {
      cwd: options.cwd,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...options.env },
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout + stderr;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${path.basename(file)} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  }
}
