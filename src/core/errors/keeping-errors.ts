// Errors of backups and of what is cleared away.

import { define } from './catalogue-entry.ts';

export const KEEPING_ERRORS = define({
  HR_BACKUP_INCOMPLETE: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'Backup would lack something',
    help: 'A writer of pushes did not ship what it took, or a shipped part of the log is missing; the sentence names it. No backup was made.',
  },
  HR_BACKUP_DAMAGED: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'Backup missing or damaged',
    help: 'A part of the backup is missing, or its content is not what the manifest says; the sentence names it. Nothing was restored.',
  },
  HR_BACKUP_NEWER: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'Of a later version of Headrace',
    help: 'The backup or the registry was written by a later version; an earlier one would lose what it does not know. Use that version.',
  },
  HR_RESTORE_REFUSED: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'Not written over',
    help: 'The place is not empty, or is in use; the sentence says by what. Take another, or clear it.',
  },
});
