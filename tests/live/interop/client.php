<?php
// A client on PHP's SoapClient, which makes its methods and types from the description that the serving process itself
// hands out (?wsdl): libxml2 under another SOAP implementation. conversation.py says what is read from standard input and
// written to standard output.
//
//     php client.php BASE-URL SOAP-VERSION     1.1 or 1.2; RMS_LOGIN and RMS_PASSWORD say who.

declare(strict_types=1);

const SERVER = ['certification/server.asmx', 'http://microsoft.com/DRM/ServerService'];
const CERTIFICATION = ['certification/certification.asmx', 'http://microsoft.com/DRM/CertificationService'];
const PUBLISHING = ['licensing/publish.asmx', 'http://microsoft.com/DRM/PublishingService'];
const TEMPLATES = ['licensing/templatedistribution.asmx', 'http://microsoft.com/DRM/TemplateDistributionService'];
const LICENSING = ['licensing/license.asmx', 'http://microsoft.com/DRM/LicensingService'];

/** The generated proxies of one person. */
final class Services
{
    /** @var array<string, SoapClient> */
    private array $proxies = [];

    public function __construct(private string $baseUrl, private int $soapVersion)
    {
    }

    /** Calls with the version header that the question asks for; puts the answer's own into $answer. */
    public function call(array $service, Question $question, Answer $answer, array $parameters): stdClass
    {
        [$path, $namespace] = $service;
        $version = $question->one('version');
        $header = new SoapHeader($namespace, 'VersionData', ['MinimumVersion' => $version, 'MaximumVersion' => $version]);
        $headers = [];
        $operation = $question->one('operation');
        $sent = $operation === 'GetServerInfo' ? [] : [$header];
        $result = $this->proxy($path)->__soapCall($operation, [$parameters], null, $sent, $headers);
        if (isset($headers['VersionData'])) {
            $answer->add('version', $headers['VersionData']->MaximumVersion);
        }
        return $result;
    }

    private function proxy(string $path): SoapClient
    {
        return $this->proxies[$path] ??= new SoapClient("$this->baseUrl/$path?wsdl", [
            'soap_version' => $this->soapVersion,
            'login' => getenv('RMS_LOGIN'),
            'password' => getenv('RMS_PASSWORD'),
            'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
            'cache_wsdl' => WSDL_CACHE_NONE,
            'exceptions' => true,
        ]);
    }
}

/** Names and values in order. */
final class Question
{
    /** @param list<array{string, string}> $lines */
    private function __construct(private array $lines)
    {
    }

    public static function read(): ?self
    {
        $lines = [];
        while (($line = fgets(STDIN)) !== false) {
            if ($line === "\n") {
                return new self($lines);
            }
            [$name, $value] = explode(' ', rtrim($line, "\n"));
            $lines[] = [$name, base64_decode($value, true)];
        }
        return null;
    }

    public function all(string $name): array
    {
        return array_column(array_filter($this->lines, fn (array $line): bool => $line[0] === $name), 1);
    }

    public function one(string $name): string
    {
        return $this->all($name)[0];
    }

    /** The values of a name in groups: a line `item` begins each. */
    public function items(string $name): array
    {
        $items = [];
        foreach ($this->lines as [$found, $value]) {
            if ($found === 'item') {
                $items[] = [];
            } elseif ($found === $name) {
                $items[array_key_last($items)][] = $value;
            }
        }
        return $items;
    }
}

final class Answer
{
    private string $lines = '';

    public function add(string $name, string $value): void
    {
        $this->lines .= $name . ' ' . base64_encode($value) . "\n";
    }

    /** The documents of an ArrayOfXmlNode. */
    public function addNodes(string $name, stdClass $nodes): void
    {
        foreach ($nodes->Certificate ?? [] as $node) {
            $this->add($name, as_written($node->any));
        }
    }

    public function write(): void
    {
        echo $this->lines, "\n";
        flush();
    }
}

/**
 * libxml2 hands out `<A/>` where a signed document has `<A />`, and signatures are over text ([MS-RMPR] 2.2.9.1.12): this
 * one spelling a PHP client has to restore. In attributes and text libxml2 writes `&gt;`, so nothing else ends in "/>".
 */
function as_written(string $xml): string
{
    return preg_replace('~(?<! )/>~', ' />', $xml);
}

/** One element with a document in it, whose text goes out unchanged. */
function node(string $xml): array
{
    return ['any' => $xml];
}

function nodes(array $texts): array
{
    return ['Certificate' => array_map('node', $texts)];
}

function get_server_info(Services $services, Question $question, Answer $answer): void
{
    $requests = array_map(fn (string $type): array => ['Type' => $type], $question->all('type'));
    $found = $services->call(SERVER, $question, $answer, ['requests' => ['ServerInfoRequest' => $requests]]);
    $answer->add('information', as_written($found->GetServerInfoResult->any));
}

function find_service_locations_for_user(Services $services, Question $question, Answer $answer): void
{
    $requests = array_map(fn (string $type): array => ['Type' => $type], $question->all('type'));
    $parameters = ['ServiceNames' => ['ServiceLocationRequest' => $requests]];
    $found = $services->call(SERVER, $question, $answer, $parameters);
    foreach ($found->FindServiceLocationsForUserResult->ServiceLocationResponse as $location) {
        $answer->add('type', $location->Type);
        $answer->add('url', $location->URL ?? '');
    }
}

function get_licensor_certificate(Services $services, Question $question, Answer $answer): void
{
    $found = $services->call(SERVER, $question, $answer, []);
    $answer->addNodes('certificate', $found->GetLicensorCertificateResult->CertificateChain);
}

function certify(Services $services, Question $question, Answer $answer): void
{
    $parameters = ['MachineCertificateChain' => nodes($question->all('certificate')), 'Persistent' => true];
    $found = $services->call(CERTIFICATION, $question, $answer, ['requestParams' => $parameters])->CertifyResult;
    $answer->addNodes('certificate', $found->CertificateChain);
    $answer->add('quota', (string) $found->Quota->Maximum);
}

function get_client_licensor_cert(Services $services, Question $question, Answer $answer): void
{
    $item = ['PersonaCerts' => nodes($question->all('certificate'))];
    $parameters = ['RequestParams' => ['GetClientLicensorCertParams' => [$item]]];
    $found = $services->call(PUBLISHING, $question, $answer, $parameters)->GetClientLicensorCertResult;
    $answer->addNodes('certificate', $found->GetClientLicensorCertResponse[0]->CertificateChain);
}

function acquire_issuance_license(Services $services, Question $question, Answer $answer): void
{
    $item = ['UnsignedIssuanceLicense' => node($question->one('license'))];
    $parameters = ['RequestParams' => ['AcquireIssuanceLicenseParams' => [$item]]];
    $found = $services->call(PUBLISHING, $question, $answer, $parameters)->AcquireIssuanceLicenseResult;
    $answer->addNodes('certificate', $found->AcquireIssuanceLicenseResponse[0]->CertificateChain);
}

function acquire_template_information(Services $services, Question $question, Answer $answer): void
{
    $found = $services->call(TEMPLATES, $question, $answer, [])->AcquireTemplateInformationResult;
    $answer->add('key', $found->ServerPublicKey);
    foreach ($found->GuidHash as $entry) {
        $answer->add('guid', $entry->Guid);
        $answer->add('hash', $entry->Hash);
    }
}

function acquire_templates(Services $services, Question $question, Answer $answer): void
{
    $parameters = ['guids' => ['string' => $question->all('guid')]];
    $found = $services->call(TEMPLATES, $question, $answer, $parameters)->AcquireTemplatesResult;
    foreach ($found->GuidTemplate as $entry) {
        $answer->add('guid', $entry->Guid);
        $answer->add('template', $entry->Template ?? '');
    }
}

/**
 * A question has one account certificate for all its publishing licences. Each item gets an array of its own: one that
 * stands in several places PHP sends as a reference (href="#ref1"), which has no meaning in document/literal.
 */
function acquire_license(Services $services, Question $question, Answer $answer): void
{
    $item = fn (array $license): array => [
        'LicenseeCerts' => nodes($question->all('certificate')),
        'IssuanceLicense' => nodes($license),
    ];
    $items = array_map($item, $question->items('license'));
    $parameters = ['RequestParams' => ['AcquireLicenseParams' => $items]];
    $found = $services->call(LICENSING, $question, $answer, $parameters)->AcquireLicenseResult;
    foreach ($found->AcquireLicenseResponse as $response) {
        $answer->add('item', '');
        $answer->addNodes('certificate', $response->CertificateChain);
    }
}

function acquire_pre_license(Services $services, Question $question, Answer $answer): void
{
    $item = [
        'LicenseeIdentities' => ['string' => $question->all('identity')],
        'IssuanceLicense' => nodes($question->all('license')),
    ];
    $parameters = ['RequestParams' => ['AcquirePreLicenseParams' => [$item]]];
    $found = $services->call(LICENSING, $question, $answer, $parameters)->AcquirePreLicenseResult;
    $response = $found->AcquirePreLicenseResponse[0];
    $answer->addNodes('license', $response->Licenses);
    $answer->addNodes('certificate', $response->CertificateChain);
}

const OPERATIONS = [
    'GetServerInfo' => 'get_server_info',
    'FindServiceLocationsForUser' => 'find_service_locations_for_user',
    'GetLicensorCertificate' => 'get_licensor_certificate',
    'Certify' => 'certify',
    'GetClientLicensorCert' => 'get_client_licensor_cert',
    'AcquireIssuanceLicense' => 'acquire_issuance_license',
    'AcquireTemplateInformation' => 'acquire_template_information',
    'AcquireTemplates' => 'acquire_templates',
    'AcquireLicense' => 'acquire_license',
    'AcquirePreLicense' => 'acquire_pre_license',
];

$services = new Services($argv[1], $argv[2] === '1.2' ? SOAP_1_2 : SOAP_1_1);
while ($question = Question::read()) {
    $answer = new Answer();
    try {
        OPERATIONS[$question->one('operation')]($services, $question, $answer);
    } catch (SoapFault $fault) {
        $answer = new Answer();
        $answer->add('code', $fault->faultcode);
        $answer->add('fault', $fault->faultstring);
    }
    $answer->write();
}
