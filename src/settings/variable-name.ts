/** Names of variables as Flux has them, in settings and as keys of ConfigMaps. */
export const VARIABLE_NAME = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
