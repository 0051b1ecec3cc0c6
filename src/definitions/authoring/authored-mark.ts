// The mark of every object of the authoring API, under which it carries what the user wrote. The symbol is registered, so an
// object is known whichever copy of the module made it.

export const AUTHORED: unique symbol = Symbol.for('headrace.authored') as never;
