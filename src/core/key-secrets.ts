// API keys in what users type and send: a whole one is pasted where its name belongs, and must be told to nobody.

/** Ten digits or letters, and a secret of 32; what is cut off within it still is most of one. */
const KEY = /(hr_[0-9a-z]{10})_[0-9A-Za-z]{20,32}/g;

/** The text with `hr_<id>` in the place of each `hr_<id>_<secret>`. Cut a text after this, not before. */
export function withoutKeySecrets(text: string): string {
  return text.replaceAll(KEY, '$1');
}
