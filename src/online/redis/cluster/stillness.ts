// Tells of a change once no other of the same name has come for a while.

export interface Stillness {
  stir(name: string): void;
  close(): void;
}

export function createStillness(stillMs: number, tell: (name: string) => void): Stillness {
  const timers = new Map<string, NodeJS.Timeout>();
  return {
    stir(name) {
      clearTimeout(timers.get(name));
      const timer = setTimeout(() => {
        timers.delete(name);
        tell(name);
      }, stillMs);
      timers.set(name, timer.unref());
    },
    close() {
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}
