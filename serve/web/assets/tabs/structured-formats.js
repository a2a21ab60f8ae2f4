// What an answer may have to be, and examples of each, written for this page.
const json = (value) => JSON.stringify(value, null, 2);

export const formats = [
  {
    id: 'schema',
    title: 'JSON Schema',
    fields: (source) => ({ response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: JSON.parse(source) } } }),
    example: json({
      type: 'object',
      properties: {
        name: { type: 'string', minLength: 1, maxLength: 20 },
        age: { type: 'integer', minimum: 0, maximum: 120 },
        likes: { type: 'array', items: { enum: ['apples', 'bread', 'cheese'] }, minItems: 1, maxItems: 3 },
      },
      required: ['name', 'age', 'likes'],
      additionalProperties: false,
    }),
  },
  { id: 'regex', title: 'Regular expression', fields: (source) => ({ regex: source }), example: '(Mon|Tues|Wednes|Thurs|Fri)day, (0?[1-9]|1[0-2]):[0-5][0-9] (am|pm)' },
  {
    id: 'grammar',
    title: 'Grammar (GBNF)',
    fields: (source) => ({ grammar: source }),
    example: 'root ::= sum\nsum  ::= term (" " [+-] " " term)*\nterm ::= [0-9] | "(" sum ")"\n',
  },
  { id: 'choices', title: 'Choices', fields: (source) => ({ choices: source.split('\n').filter((line) => line !== '') }), example: 'yes\nno\nI do not know' },
];
